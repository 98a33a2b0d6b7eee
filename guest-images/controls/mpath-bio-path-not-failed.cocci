// class: a path that failed a bio is used again
// module: dm-multipath
// file: drivers/md/dm-mpath.c
// scenarios: multipath/failover-once, multipath/failover-read, multipath
// kills: misjudged, hang

@@
@@
 multipath_end_io_bio(...)
 {
 	...
-	if (pgpath)
-		fail_path(pgpath);
 	...
 }
