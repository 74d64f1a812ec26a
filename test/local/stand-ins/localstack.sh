#!/bin/sh
exec /opt/stand-in/node /opt/stand-in/aws-front.mjs
