#!/bin/sh
# As in LocalStack's image: the AWS command line with the emulator for AWS.
export AWS_ACCESS_KEY_ID="${AWS_ACCESS_KEY_ID:-test}" AWS_SECRET_ACCESS_KEY="${AWS_SECRET_ACCESS_KEY:-test}"
export AWS_DEFAULT_REGION="${AWS_DEFAULT_REGION:-us-east-1}"
exec "$(cat /opt/stand-in/emulators)/localstack/bin/aws" --endpoint-url http://localhost:4566 "$@"
