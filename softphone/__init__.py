"""The softphone: a SIP user agent with a Tk window, a console and a headless form."""
