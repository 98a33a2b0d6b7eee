// class: a path that failed a request is used again
// module: dm-multipath
// file: drivers/md/dm-mpath.c
// scenarios: multipath/failover-once, multipath/failover-read, multipath
// kills: misjudged, hang

@@
@@
 multipath_end_io(...)
 {
 	<...
-	if (pgpath)
-		fail_path(pgpath);
 	...>
 }
