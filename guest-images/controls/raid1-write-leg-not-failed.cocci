// class: a leg that failed a write still counts as good
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-whole, raid1/write-halfway, raid1
// kills: misjudged, wrong data, wrong answer
// inspired-by: commit 72f4b314100b, "dm raid1: handle write failures",
//   before which nothing was recorded

@@
identifier i;
@@
 write_callback(...)
 {
 	...
-	for (i = 0; i < ms->nr_mirrors; i++)
-		if (test_bit(i, &error))
-			fail_mirror(...);
 	...
 }
