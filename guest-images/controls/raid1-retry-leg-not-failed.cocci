// class: a leg that failed a retry still counts as good
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/read-all-legs-fail, raid1/read-three-legs, raid1
// kills: misjudged, hang

@@
@@
 read_callback(...)
 {
 	...
-	fail_mirror(m, DM_RAID1_READ_ERROR);
 	...
 }
