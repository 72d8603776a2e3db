"""The commands, a file for each group of them; part of the roof. A command is imported when it is called."""
