"""Lists of concepts, as files, standard input or built in: read a record at a time."""
