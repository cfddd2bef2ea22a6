# Sourced by the pages' tests: what the opener does meanwhile. Session 1 for alice and bob, on the local network.
for who in bob opener; do ffe key new $who --password-file ~/password -q > /dev/null; done
address() { ffe key list | sed -n "s/ *$1\$//p"; }
rpc=$(sed -n 's/.*"rpcUrl": *"\([^"]*\)".*/\1/p' ~/.local/share/ffe/devnet/network.json)
for who in bob opener; do
  python3 - "$rpc" "$(address $who)" << 'END'
import json, sys, urllib.request
call = {"jsonrpc": "2.0", "id": 1, "method": "anvil_setBalance", "params": [sys.argv[2], hex(100 * 10**18)]}
request = urllib.request.Request(sys.argv[1], json.dumps(call).encode(), {"content-type": "application/json"})
assert "error" not in json.load(urllib.request.urlopen(request))
END
done
rows() { scripts/wordnet-rows "$@"; }
(rows animal 100 200; rows plant 100 200) > evaluation-pool.jsonl
(rows animal 24 400; rows plant 24 400) > public-sample.jsonl
ffe session new -q > /dev/null
sed -i -e "s/^participants = \[/&\"$(address alice)\", \"$(address bob)\"/" -e 's/^statistic = 1/statistic = 2/' \
  -e 's/^eval_pairs = 192/eval_pairs = 64/' TERMS.toml
ffe session open --account opener -q
