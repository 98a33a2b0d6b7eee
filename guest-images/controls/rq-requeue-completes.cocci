// class: a request that should be requeued is completed
// module: dm-mod
// file: drivers/md/dm-rq.c
// scenarios: multipath/merged, multipath/failover-once, multipath
// kills: wrong data, wrong answer

@@
@@
 dm_done(...)
 {
 	<...
-	dm_requeue_original_request(tio, false);
+	dm_end_request(clone, BLK_STS_OK);
 	...>
 }
