"""Random blocks, executed by the executable specification (EELS)."""
