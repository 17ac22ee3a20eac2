"""From a candidate of the spec to a fitted model that can be packaged."""
