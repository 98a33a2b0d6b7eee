// class: the clone's error does not reach the original request
// module: dm-mod
// file: drivers/md/dm-rq.c
// scenarios: multipath/merged, multipath/failover-once, multipath
// kills: wrong data, wrong answer, hang, crash

@@
@@
 dm_complete_request(...)
 {
 	...
-	tio->error = error;
+	tio->error = BLK_STS_OK;
 	...
 }
