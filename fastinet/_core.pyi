"""C++ core of fastinet."""
