// class: a leg that failed a read still counts as good
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/read-whole, raid1
// kills: misjudged, hang

@@
@@
 mirror_end_io(...)
 {
 	<...
-	fail_mirror(m, DM_RAID1_READ_ERROR);
 	...>
 }
