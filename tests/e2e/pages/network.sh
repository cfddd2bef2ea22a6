# Sourced by the pages' tests: accounts of these names, all with tokens on a local network that runs until the page ends.
# The configuration names the password's file. OPTIONS: more for `ffe devnet up`.
address() { ffe key list | sed -n "s/ *$1\$//p"; }
echo "correct horse battery staple" > ~/password
fund=""
for who in "$@"; do
  ffe key new $who --password-file ~/password -q > /dev/null
  fund="$fund --fund $(address $who)"
done
printf '[defaults]\npassword_file = "%s/password"\n' ~ > ~/.config/ffe/config.toml
ffe devnet up $fund $OPTIONS > ~/devnet.log 2>&1 &
until ffe devnet status -q 2> /dev/null | grep -q 'enclave .* ok'; do
  kill -0 $! || { cat ~/devnet.log; break; }
  sleep 0.2
done
ffe devnet status -q > /dev/null
