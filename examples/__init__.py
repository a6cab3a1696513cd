"""Programs that use Confero as a library, each short enough to read in one go."""
