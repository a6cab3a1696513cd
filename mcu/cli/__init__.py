"""The commands of `confero`: each asks the running server, or the database where none runs."""
