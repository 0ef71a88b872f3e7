"""README's commands on a machine that has nothing: a bare root of Debian. Not a part of CI."""
