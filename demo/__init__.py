"""The demo: real flights to a judged model that serves, by one DAG, watched live."""
