#!/usr/bin/env bash
# Installs what the tests need and what is missing: PostgreSQL, Redis, Node, Chromium,
# PHP with Laravel, Soketi, the modules of e2e/receiver and web. System packages only as root on
# Debian or Ubuntu; elsewhere it lists all that is missing, and how to get it, and fails.
# The rest goes to .cache, e2e/receiver/node_modules and web/node_modules. A second run finds everything and
# does nothing.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
  install_system
  install_modules "$root/scripts/soketi" "$(soketi_home)" "Soketi"
  write_soketi_command
  install_modules "$receiver_dir" "$receiver_dir" "the receiver's modules"
  "$root/scripts/web.sh" install
}

# install_system makes sure of the commands that come from the system's packages.
install_system() {
  local packages=()
  postgres_bin >/dev/null || packages+=(postgresql)
  has redis-server || packages+=(redis-server)
  has node || packages+=(nodejs)
  has npm || packages+=(npm)
  has cc || packages+=(gcc libc6-dev) # for the race detector
  has chromium || packages+=(chromium) # looks at the dashboard
  if ! laravel_usable; then
    # Elsewhere Laravel is no system package; the tests that need it are skipped there.
    local laravel=(php-cli php-laravel-framework php-redis php-nrk-predis php-pgsql php-sqlite3 php-mbstring php-xml phpunit php-codesniffer
      php-guzzlehttp-guzzle php-curl)
    if apt_usable; then
      packages+=("${laravel[@]}")
    else
      warn "PHP with Laravel is missing, so the tests of the Laravel package are skipped. On Debian: sudo apt-get install ${laravel[*]}"
    fi
  fi
  if [[ ${#packages[@]} -gt 0 ]]; then
    apt_usable || die "missing on this machine: ${packages[*]}. Install with one of
  sudo apt-get install ${packages[*]}    (Debian, Ubuntu)
  brew install postgresql@16 redis node chromium    (macOS; put its postgresql@16/bin into PATH)
and run the same command again. As root on Debian or Ubuntu it installs them itself."
    say "Installing ${packages[*]} with apt-get"
    apt_install "${packages[@]}"
  fi
  case $(node_major) in
    20 | 22 | 24 | 25) ;;
    *) die "Node $(node --version) is installed; Soketi's native part exists for Node 20, 22, 24 and 25. Install one of these and put it first in PATH." ;;
  esac
}

# laravel_usable: PHP has Laravel, both Redis clients and the tools of the package's tests.
laravel_usable() {
  has php && has phpunit && has phpcs &&
    php -r '// Without its own parentheses include_once would take the whole condition for a path.
      exit((@include_once "Illuminate/autoload.php") && (@include_once "Predis/autoload.php") && (@include_once "GuzzleHttp/autoload.php") &&
      extension_loaded("redis") && extension_loaded("curl") &&
      extension_loaded("pdo_pgsql") && extension_loaded("pdo_sqlite") && extension_loaded("mbstring") ? 0 : 1);'
}

# install_modules SOURCE TARGET NAME installs the package.json of SOURCE into TARGET. The
# stamp is written last: an interrupted installation is done again.
install_modules() {
  local source=$1 target=$2 name=$3 stamp
  stamp=$target/node_modules/.installed-$(key "$source/package.json" "$source/package-lock.json")
  [[ -e $stamp ]] && return
  say "Installing $name with npm into ${target#"$root"/}"
  mkdir -p "$target"
  local command=ci
  if [[ $source != "$target" ]]; then
    cp "$source/package.json" "$source/package-lock.json" "$source/.npmrc" "$target/"
    # `npm ci` would refuse Soketi's lock file, which lacks the native extras of other
    # systems; `npm install` may write to the copy.
    command=install
  fi
  (cd "$target" && npm "$command" --omit=dev --ignore-scripts --no-progress --loglevel=error </dev/null)
  touch "$stamp"
}

# write_soketi_command writes the command that runs Soketi in the foreground. Its native
# part wants glibc 2.38; where the system's is older, node runs through a newer loader.
write_soketi_command() {
  local home command start='node'
  home=$(soketi_home)
  command=$home/soketi
  [[ -x $command ]] && return
  if [[ $(uname -s) == Linux ]] && ! (cd "$home" && node -e 'require("uWebSockets.js")') 2>/dev/null; then
    install_libc "$home/libc"
    start=$(loader_command "$home/libc")
    (cd "$home" && eval "$start -e 'require(\"uWebSockets.js\")'") ||
      die "Soketi's native part does not load, neither with the system's glibc nor with a newer one; see above"
  fi
  cat >"$command.new" <<END
#!/usr/bin/env bash
# Made by scripts/install.sh. Runs Soketi in the foreground; SOKETI_* variables configure it.
# It starts in its own folder, since Soketi reads the .env of the one it starts in.
cd "\$(dirname "\${BASH_SOURCE[0]}")" || exit 1
exec $start node_modules/@soketi/soketi/bin/server.js start
END
  chmod +x "$command.new"
  mv "$command.new" "$command"
}

# install_libc DIR unpacks the C library of a newer release of this distribution. The
# system is not touched: apt works on state of its own.
install_libc() {
  local dir=$1 release suite keyring uri
  # shellcheck source=/dev/null
  release=$(. /etc/os-release && echo "$ID")
  case $release in
    debian) suite=trixie ;;
    ubuntu) suite=noble ;;
    *) die "Soketi's native part needs glibc 2.38, this system has an older one, and only on Debian and Ubuntu is it known where to get a newer one" ;;
  esac
  keyring=/usr/share/keyrings/$release-archive-keyring.gpg
  uri=$(archive_uri)
  [[ -n $uri ]] || die "apt-get knows no package archive: check /etc/apt/sources.list.d"
  say "Fetching a newer C library ($release $suite) into ${dir#"$root"/}, for Soketi alone"
  rm -rf "$dir"
  mkdir -p "$dir"/{sources,lists/partial,cache/archives/partial,packages,root}
  echo "deb [signed-by=$keyring] $uri $suite main" >"$dir/sources/newer.list"
  local options=(-q -o APT::Sandbox::User=root -o Acquire::Languages=none
    -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$dir/sources"
    -o "Dir::State=$dir" -o "Dir::State::Lists=$dir/lists" -o Dir::State::status=/dev/null -o "Dir::Cache=$dir/cache")
  apt-get "${options[@]}" update </dev/null
  (cd "$dir/packages" && apt-get "${options[@]}" download libc6 libstdc++6 libgcc-s1 </dev/null)
  local package
  for package in "$dir"/packages/*.deb; do
    dpkg -x "$package" "$dir/root"
  done
  rm -rf "$dir"/{sources,lists,cache,packages}
}

# archive_uri: the archive from which this system takes its own main packages.
archive_uri() {
  # shellcheck disable=SC2016 # apt-get fills these in
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk '$3 == "main" && $2 !~ /-/ { print $1; exit }'
}

# loader_command DIR: node through the loader in DIR, relative to the folder above it.
loader_command() {
  local triplet
  triplet=$(uname -m)-linux-gnu
  local libraries=${1##*/}/root/usr/lib/$triplet loader
  loader=$(cd "$1/root/usr/lib/$triplet" && echo ld-linux-*.so.*)
  echo "$libraries/$loader --library-path $libraries:/usr/lib/$triplet \"\$(command -v node)\""
}

main "$@"
