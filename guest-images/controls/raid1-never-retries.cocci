// class: a failed read is given up though another leg is good
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/read-whole, raid1
// kills: wrong answer

@@
@@
 mirror_end_io(...)
 {
 	<...
-	if (default_ok(m) || mirror_available(ms, bio))
+	if (0)
 	{
 		...
 	}
 	...>
 }
