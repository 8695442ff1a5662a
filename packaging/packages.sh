# packages.sh - Debian packages by purpose; sourced by ./quickstart and ./test.
# need NAME…: installs what is missing, quietly, and says what it does. Root, or sudo.

build_packages="gcc libc6-dev pkg-config meson ninja-build libevent-dev libssl-dev liblmdb-dev libsodium-dev libcrypt-dev
  libconfuse-dev libjansson-dev libidn2-dev libunistring-dev libseccomp-dev libunbound-dev nettle-dev
  dns-root-data zlib1g-dev libcurl4-openssl-dev ca-certificates"
demo_packages="curl openssl"
test_packages="libcmocka-dev clang llvm libclang-rt-14-dev cppcheck mandoc universal-ctags python3 python3-pytest python3-pytest-xdist git
  swaks libnet-ssleay-perl curl openssl msmtp isync offlineimap3 neomutt mutt libsasl2-modules strace procps iproute2 e2fsprogs xfsprogs lmdb-utils libfuse3-dev
  nsd ldnsutils"
# for ./test desktop, which alone installs them
desktop_packages="roundcube-core roundcube-sqlite3 php-cgi php-cli php-sqlite3 chromium chromium-driver python3-selenium thunderbird xvfb"

need() {
  missing=
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  echo "installing:$missing"
  root=
  [ "$(id -u)" = 0 ] || root=sudo
  # a name server for tests only: it is not started, and port 53 stays free
  case "$missing " in
    *" nsd "*) [ ! -d /run/systemd/system ] || $root ln -sf /dev/null /run/systemd/system/nsd.service ;;
  esac
  {
    $root apt-get update -q &&
      $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
  } >/tmp/postern-apt.$$ 2>&1 || {
    tail -n 20 /tmp/postern-apt.$$ >&2
    rm -f /tmp/postern-apt.$$
    echo "cannot install$missing: root or sudo is needed, and Debian's packages" >&2
    return 1
  }
  rm -f /tmp/postern-apt.$$
}
