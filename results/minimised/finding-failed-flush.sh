#!/bin/sh
# Made smaller by `halfway minimise` from before.raid1-flush
#   before: dm-raid1 with a core log and regions of 64 sectors, nosync, handle_errors, beneath linear segments of 1024 sectors; 3 legs of 131072 sectors; a direct flush of 512 sectors at sector 2048, one contiguous buffer; leg 1 fails every flush with EIO
#   after:  dm-raid1 with a core log and regions of 1024 sectors, nosync, handle_errors, beneath linear segments of 1024 sectors; 2 legs of 131072 sectors; a direct flush of 1 sector at sector 2048, one contiguous buffer; leg 0 fails every flush with EIO
# On Linux 6.1.0-56-cloud-amd64, it ends as
#   hang: liveness: N write or flush request(s) never came back: held, and forgotten
# The given case did so in 2 of 2 (95 % interval 34 % to 100 %) runs.
# What is in this file did so in 2 of 2 (95 % interval 34 % to 100 %) runs.
# 17 runs in 1 min 49 s; of 11 simpler cases 4 failed in the same way.
# No case that is simpler in one respect does.
#
# What follows needs root in a guest that may crash, dmsetup, dd and awk, and
# null_blk. It exits with 1 if it shows a failure, with 0 if the kernel does
# right, and with 2 if the guest cannot play it.
(
# Seconds until an I/O counts as hung.
: "${PATIENCE:=10}"
work=$(mktemp -d /tmp/recipe.XXXXXX) || exit 2
bad=0
differs() {
  echo "DIFFERS: $*"
  bad=1
}
cannot() {
  echo "This guest cannot play it: $*"
  exit 2
}
# needs MODULE [PARAMETER...]: loads it, unless it is there or built in
needs() {
  modprobe "$@" 2>/dev/null || [ -d "/sys/module/$1" ] || cannot "it has no module $1"
}
null=/sys/kernel/config/nullb
mounted() {
  [ -d $null ] || mount -t configfs none /sys/kernel/config 2>/dev/null
  [ -d $null ] || cannot "null_blk has no configfs"
}
# disk NAME MIB BLOCK [CACHE]: a disk in memory; $NAME is its device from now on. With a
# cache (of so many MiB) it is one that is flushed.
disk() {
  at=$null/recipe-$1
  mkdir "$at" || cannot "null_blk makes no disk"
  echo "$2" >"$at/size"
  echo "$3" >"$at/blocksize"
  echo 1 >"$at/memory_backed"
  if [ -e "$at/discard" ]; then echo 1 >"$at/discard"; fi
  if [ -e "$at/max_sectors" ]; then echo 2560 >"$at/max_sectors"; fi
  if [ -n "${4:-}" ]; then echo "$4" >"$at/cache_size"; fi
  echo 1 >"$at/power" || cannot "null_blk starts no disk"
  device=/dev/recipe-$1
  [ -b "$device" ] || device=/dev/nullb$(cat "$at/index")
  [ -b "$device" ] || cannot "there is no $device"
  eval "$1=$device"
}
# number DEVICE: its major and minor number, as dmsetup prints them
number() {
  case $1 in
    /dev/mapper/*) dmsetup info -c --noheadings --separator : -o major,minor "${1##*/}" ;;
    *) cat "/sys/class/block/${1##*/}/dev" ;;
  esac
}
# fails NAME SECTOR, mended NAME SECTOR: every request with that sector of the disk fails
fails() {
  echo "+$2-$2" >"$null/recipe-$1/badblocks"
}
mended() {
  echo "-$2-$2" >"$null/recipe-$1/badblocks"
}
# table NAME: gives a device the table on standard input
table() {
  dmsetup suspend --noflush "$1" && dmsetup load "$1" && dmsetup resume "$1"
}
# mapped NAME: makes a device of the table on standard input
mapped() {
  dmsetup create "$1" || cannot "device-mapper refuses a table"
  dmsetup mknodes "$1" 2>/dev/null
}
# sectors FROM COUNT WHAT: that many sectors, each of which says what it is
sectors() {
  awk -v from="$1" -v count="$2" -v what="$3" 'BEGIN {
    for (i = from; i < from + count; i++) printf "%-511s\n", "sector " i " " what
  }'
}
# put DEVICE SECTOR FILE, get DEVICE SECTOR COUNT: through no page that was read before.
# (Not directly: busybox's dd goes through the page cache where its memory does not suit.)
put() {
  dd if="$3" of="$1" bs=512 seek="$2" conv=notrunc,fsync 2>/dev/null || cannot "$1 cannot be filled"
  echo 3 >/proc/sys/vm/drop_caches
}
get() {
  echo 3 >/proc/sys/vm/drop_caches
  dd if="$1" bs=512 skip="$2" count="$3" 2>/dev/null
}
# part FILE SKIP COUNT: some sectors of a file
part() {
  dd if="$1" bs=512 skip="$2" count="$3" 2>/dev/null
}
# io NUMBER INPUT OUTPUT COMMAND: does it beside the others
io() {
  (
    to=$work/answer.$1 from=$2 into=$3
    shift 3
    "$@" <"$from" >"$into" 2>/dev/null
    echo $? >"$to"
  ) &
}
# answered SECONDS: waits until every I/O has come back
answered() {
  tries=$(($1 * 5))
  while [ $tries -gt 0 ]; do
    back=0
    for answer in "$work"/answer.*; do
      if [ -s "$answer" ]; then back=$((back + 1)); fi
    done
    if [ $back = $ios ]; then return 0; fi
    sleep 0.2
    tries=$((tries - 1))
  done
  return 1
}
# answer NUMBER WANTED: 0 is success
answer() {
  got=$(cat "$work/answer.$1" 2>/dev/null)
  case $2,$got in
    good,0 | any,* | error,[1-9]*) ;;
    good,*) differs "I/O $1 failed; a correct kernel does it" ;;
    *) differs "I/O $1 ended well; a correct kernel tells of the error" ;;
  esac
}
# in_sync NAME: how many regions of the mirror are in sync, of how many
in_sync() {
  dmsetup status "$1" | awk '{ for (i = 5; i <= NF; i++) if ($i ~ /^[0-9]+\/[0-9]+$/) { print $i; exit } }'
}
# status NAME PATTERN: its status line must match
status() {
  line=$(dmsetup status "$1" 2>&1)
  case "$line " in
    $2) ;;
    *) differs "status: $line; a correct kernel's is like $2" ;;
  esac
}
# came FROM COUNT FILE SKIP WHAT...: those sectors of a file are one of WHAT
came() {
  from=$1 count=$2 file=$3 skip=$4
  shift 4
  part "$file" "$skip" "$count" >"$work/seen"
  for what; do
    sectors "$from" "$count" "$what" >"$work/right"
    if cmp -s "$work/seen" "$work/right"; then return; fi
  done
  sectors "$from" "$count" "$1" >"$work/right"
  wrong=$(tr '\0' '?' <"$work/seen" | sed 's/ *$//' | awk -v from="$from" -v what="$1" '
    $0 != ("sector " (from + NR - 1) " " what) {
      print "sector " (from + NR - 1) " holds \"" substr($0, 1, 60) "\""
      exit
    }')
  differs "${wrong:-sectors $from+$count are not all there}; a correct kernel has those $*"
}
complaints() {
  dmesg 2>/dev/null | grep -E 'BUG:|BUG at|WARNING:|Oops|general protection|refcount_t' | grep -vc 'recipe:'
}
ended() {
  if [ "$(complaints)" != "$complained" ]; then
    differs "the kernel complained: $(dmesg | grep -E 'BUG:|BUG at|WARNING:|Oops|general protection|refcount_t' | tail -n 1)"
  fi
  if [ $bad = 0 ]; then
    echo "This kernel does it right: the failure is not shown."
  else
    echo "The failure is shown."
  fi
  exit $bad
}

block=512
needs null_blk nr_devices=0
needs dm_mod
needs dm_mirror
needs dm_flakey
mounted
complained=$(complaints)

# Its disks, in memory.
disk leg0 64 $block 1
disk leg1 64 $block 1
leg0_below=$leg0
echo "0 $(blockdev --getsz "$leg0") flakey $leg0 0 1 0" | mapped recipe-leg0
leg0=/dev/mapper/recipe-leg0
leg1_below=$leg1
echo "0 $(blockdev --getsz "$leg1") flakey $leg1 0 1 0" | mapped recipe-leg1
leg1=/dev/mapper/recipe-leg1
sectors 2040 24 "of leg 0" >"$work/old.0"
put "$leg0" 2040 "$work/old.0"
sectors 2040 24 "of leg 1" >"$work/old.1"
put "$leg1" 2040 "$work/old.1"

# The stack.
echo "0 131072 mirror core 2 1024 nosync 2 $leg0 0 $leg1 0 1 handle_errors" | mapped recipe
awk -v all=131072 -v each=1024 'BEGIN {
  for (s = 0; s < all; s += each)
    print s, (all - s < each ? all - s : each), "linear /dev/mapper/recipe", s
}' | mapped recipe-top
top=/dev/mapper/recipe-top

# What fails.
echo "0 $(blockdev --getsz "$leg0_below") flakey $leg0_below 0 0 1 1 error_writes" | table recipe-leg0

# A flush.
ios=1
io 0 /dev/null /dev/null dd of="$top" count=0 conv=fsync,notrunc

# A correct kernel holds it, until somebody acts.
answered 3 && differs "the I/O was completed, and should be held"
sleep 0.5
dmsetup status recipe
status recipe '* 1 [D][A] *'
regions=$(in_sync recipe)
if [ "${regions%/*}" != "${regions#*/}" ]; then
  differs "$regions regions are in sync; of a correct kernel all"
fi

# An operator acts.
echo "0 $(blockdev --getsz "$leg0_below") flakey $leg0_below 0 1 0" | table recipe-leg0
echo "0 131072 linear $leg1 0" | table recipe
answered "$PATIENCE" || {
  differs "the I/O never came back, whoever acts"
  ended
}

# The answers, and the data.
answer 0 good
ended
)
