#!/bin/bash
# Succeeds when the broker answers whoever knows the password.
[ "$(REDISCLI_AUTH=$BROKER_PASSWORD redis-cli ping)" = PONG ]
