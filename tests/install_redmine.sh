#!/usr/bin/env bash
# Debian's Redmine with SQLite, for the tests alone: nothing is started, and the installed instance stays unused.
# Installs only as root and where it was asked for (CI=true or INSTALL=1); otherwise says what is missing.

set -uo pipefail
export DEBIAN_FRONTEND=noninteractive
LOG=build/redmine-install.log
SPECIFICATIONS=/usr/share/rubygems-integration

if [ -e /usr/share/redmine/config.ru ] && command -v bundle >/dev/null && command -v puma >/dev/null; then
    echo "Redmine is installed."
    exit 0
fi
if [ "${CI:-}" != true ] && [ "${INSTALL:-}" != 1 ]; then
    echo "No Redmine here: its tests are skipped. INSTALL=1 make test-redmine installs it, as root on Debian."
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Only root on Debian or Ubuntu can install Redmine: its tests are skipped."
    exit 0
fi

# Some of Debian's gems bring a specification without a folder, which newer Bundlers take for deleted; then the package's
# own configuration fails. An empty folder is all that is missing.
give_gems_their_folders() {
    local specification name
    for specification in "$SPECIFICATIONS"/*/specifications/*.gemspec /usr/share/rubygems/specifications/*.gemspec; do
        [ -e "$specification" ] || continue
        name=$(basename "$specification" .gemspec)
        mkdir -p "$(dirname "$(dirname "$specification")")/gems/$name"
    done
}

mkdir -p build
echo "Installing Redmine ..."
{
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends redmine redmine-sqlite puma ||
        { give_gems_their_folders && dpkg --configure -a && apt-get install -y -qq -f; }
} >"$LOG" 2>&1
if [ -e /usr/share/redmine/config.ru ] && command -v puma >/dev/null; then
    echo "Redmine $(dpkg-query -W -f '${Version}' redmine) is installed."
    exit 0
fi
tail -n 20 "$LOG"
echo "Redmine could not be installed: its tests are skipped."
# On CI that shall be seen; the tests say for themselves what they did not run.
[ "${CI:-}" != true ]
