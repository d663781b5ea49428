# Makes the cluster once, brings roles and passwords up to date at every start, then becomes the server.
# Runs as the unprivileged user of the image; initdb, pg_ctl, psql and postgres are on its PATH.
set -eu
data=/var/lib/postgresql/data
config="-c hba_file=/etc/postfleet/pg_hba.conf -c unix_socket_directories=/tmp"

if [ ! -s "$data/PG_VERSION" ]; then
  # Under its final name a cluster is always a whole one.
  rm -rf "$data.new"
  initdb --pgdata="$data.new" --encoding=UTF8 --locale=C.UTF-8 --auth-local=peer --auth-host=scram-sha-256
  mv "$data.new" "$data"
fi
chmod 0700 "$data"
# Left by a server that was killed: its process id may belong to another process of this container now.
rm -f "$data/postmaster.pid"

pg_ctl --pgdata="$data" --wait --options="$config -c listen_addresses=" start
psql --host=/tmp --dbname=postgres --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
  --set=owner="$(cat /var/run/postfleet-passwords/owner-password)" \
  --set=ingress="$(cat /var/run/postfleet-passwords/ingress-password)" \
  --set=delivery="$(cat /var/run/postfleet-passwords/delivery-password)" \
  --file=/etc/postfleet/roles.sql
pg_ctl --pgdata="$data" --wait --mode=fast stop

# A renewed certificate is taken up without a restart.
certificate() { stat -L -c %Y /var/run/postfleet-tls/tls.crt; }
server=$$
(
  seen=$(certificate)
  while sleep 30 && kill -0 "$server"; do
    now=$(certificate)
    [ "$now" = "$seen" ] || kill -HUP "$server"
    seen=$now
  done
) > /dev/null 2>&1 &

# shellcheck disable=SC2086
exec postgres -D "$data" $config -c listen_addresses='*' -c password_encryption=scram-sha-256 \
  -c ssl=on -c ssl_min_protocol_version=TLSv1.3 \
  -c ssl_cert_file=/var/run/postfleet-tls/tls.crt -c ssl_key_file=/var/run/postfleet-tls/tls.key
