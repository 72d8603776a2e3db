"""How a program runs on a machine: the order of axes in memory, what is computed in one loop, tiles, buffers."""
