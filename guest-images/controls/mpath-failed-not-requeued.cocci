// class: the path is failed, but the request not sent down another one
// module: dm-multipath
// file: drivers/md/dm-mpath.c
// scenarios: multipath/failover-once, multipath/failover-read, multipath
// kills: wrong answer

@@
@@
 multipath_end_io(...)
 {
 	<...
-	r = DM_ENDIO_REQUEUE;
+	r = DM_ENDIO_DONE;
 	...>
 }
