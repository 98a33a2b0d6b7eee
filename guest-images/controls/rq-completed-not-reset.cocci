// class: the count of completed bytes is that of the attempt before
// module: dm-mod
// file: drivers/md/dm-rq.c
// scenarios: target/multipath-merged-twice, target/multipath, piecewise/mq/multipath-twice
// kills: crash, wrong data, hang, wrong I/O

@@
@@
 init_tio(...)
 {
 	...
-	tio->completed = 0;
 	...
 }
