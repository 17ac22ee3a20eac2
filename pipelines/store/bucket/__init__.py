"""The store in a bucket of an S3 endpoint."""
