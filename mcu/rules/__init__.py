"""The rules of a conference by subject; `mcu.conference` puts them together."""
