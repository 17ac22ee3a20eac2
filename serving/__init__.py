"""The server: models answer over HTTP, each from the newest release that proves itself."""
