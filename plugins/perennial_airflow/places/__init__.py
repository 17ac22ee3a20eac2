"""Where steps run. `place.py` says what a place must do, `choice.py` names those that there are."""
