"""One reader per format; they run in the sandboxed child process."""
