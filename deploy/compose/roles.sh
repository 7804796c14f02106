#!/bin/sh
# Runs once, when the database is made: the group that the gateway works under, and the login of serve and dispatch,
# which can add to the audit log and not change it. migrate, as the owner, hands the tables over to the group.
set -eu
psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set=password="$(cat /run/secrets/gateway_password)" <<'SQL'
CREATE ROLE mpesa_gateway_app NOLOGIN;
CREATE ROLE gateway LOGIN PASSWORD :'password' IN ROLE mpesa_gateway_app;
ALTER ROLE gateway SET role TO mpesa_gateway_app;
SQL
