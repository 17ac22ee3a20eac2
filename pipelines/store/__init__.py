"""The Store port: where batches, bundles, releases, pages and logs live."""
