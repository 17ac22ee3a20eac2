"""What a clustering needs beside what every task does: a space, names, plots, the champion."""
