"""Where files lie and how they are read and written: local folders, object stores."""
