"""The desktop of this machine, shown to others and steered by them: what RFB (`rtp.rfb`) has to do with a real screen."""
