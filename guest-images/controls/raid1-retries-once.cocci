// class: a read that failed on two legs is given up though a third is good
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/read-three-legs, raid1/read-four-legs, raid1
// kills: wrong answer, hang

@@
@@
 read_callback(...)
 {
 	...
-	if (likely(default_ok(m)) || mirror_available(m->ms, bio))
+	if (0)
 	{
 		...
 	}
 	...
 }
