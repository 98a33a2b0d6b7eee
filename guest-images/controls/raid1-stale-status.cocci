// class: the error of the failed attempt stays in the bio that is retried
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/read-whole, raid1
// kills: wrong answer

@@
@@
 mirror_end_io(...)
 {
 	<...
-	bio->bi_status = 0;
 	...>
 }
