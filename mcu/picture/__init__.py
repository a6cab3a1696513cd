"""One picture made of many, for phones that show one: where each goes, what is written on it, how it is put together."""
