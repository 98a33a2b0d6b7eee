// class: the writes that wait for the operator are not given back when the mirror is
//   suspended
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-held, raid1
// kills: hang

@@
@@
 mirror_presuspend(...)
 {
 	<...
-	while (...)
-		hold_bio(...);
 	...>
 }
