#!/bin/bash
# Makes what schema.cql says, and the app's role with MODIFY and SELECT on the keyspaces of $KEYSPACES, in the Cassandra
# at $CQL_HOST. Again and again it does the same; a new password in the app's secret is the role's from then on.
#
#   SUPERUSER, APP     folders with the files username and password, as secrets are mounted
#   SCHEMA             the CQL file
#   KEYSPACES          names, blanks between them
#   CREATE             yes: the role may make keyspaces and tables, and has all rights on what it makes; for development
#   CQL_PORT           9042 where it is not set
#   SSL_CERTFILE       the CA's PEM file: the connection is encrypted
#   WAIT               seconds to wait for Cassandra, 900 where it is not set
set -euo pipefail
umask 077
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

secret() { # FOLDER KEY
  [ -s "$1/$2" ] || { echo "migrate: $1/$2 is missing or empty: the secret needs the key $2" >&2; exit 1; }
  cat "$1/$2"
}
quoted() { printf "%s" "$1" | sed "s/$2/$2$2/g"; }

admin=$(secret "$SUPERUSER" username) admin_password=$(secret "$SUPERUSER" password)
app=$(secret "$APP" username) app_password=$(secret "$APP" password)

# cqlsh takes the password from a file, so that no list of processes shows it.
credentials() { # FILE USERNAME PASSWORD
  printf '[PlainTextAuthProvider]\nusername = %s\npassword = %s\n' "$2" "$3" > "$scratch/$1"
}
credentials admin "$admin" "$admin_password"
credentials app "$app" "$app_password"
cql() { # AS ARGUMENTS…
  local as=$1; shift
  cqlsh --credentials "$scratch/$as" ${SSL_CERTFILE:+--ssl} --no-color "$@" "$CQL_HOST" "${CQL_PORT:-9042}"
}

deadline=$((SECONDS + ${WAIT:-900}))
until answer=$(cql admin -e 'SELECT release_version FROM system.local' 2>&1); do
  if [ $SECONDS -ge $deadline ]; then
    echo "migrate: Cassandra at $CQL_HOST does not let $admin in: $answer" >&2
    echo "migrate: is the K8ssandraCluster ready (kubectl get k8ssandracluster), and the secret its superuser's?" >&2
    exit 1
  fi
  echo "migrate: waiting for Cassandra at $CQL_HOST: ${answer##*$'\n'}"
  sleep 5
done

cql admin -f "$SCHEMA"

role="\"$(quoted "$app" '"')\""
options="WITH LOGIN = true AND SUPERUSER = false AND PASSWORD = '$(quoted "$app_password" "'")'"
known="SELECT role FROM system_auth.roles WHERE role = '$(quoted "$app" "'")'"
{ # Cassandra refuses to change a password twice within seconds, so it is changed where it has to be.
  if ! cql admin -e "$known" | grep -q '(1 rows)'; then
    echo "CREATE ROLE $role $options;"
  elif ! cql app -e 'SELECT release_version FROM system.local' > "$scratch/login" 2>&1; then
    echo "ALTER ROLE $role $options;"
  fi
  for keyspace in $KEYSPACES; do
    echo "GRANT MODIFY ON KEYSPACE \"$keyspace\" TO $role;"
    echo "GRANT SELECT ON KEYSPACE \"$keyspace\" TO $role;"
  done
  if [ "${CREATE:-}" = yes ]; then echo "GRANT CREATE ON ALL KEYSPACES TO $role;"; fi
} > "$scratch/role.cql"
cql admin -f "$scratch/role.cql"
echo "migrate: done: $SCHEMA, and the role $app for $KEYSPACES"
