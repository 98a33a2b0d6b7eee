// class: of several legs that failed a write only the first is failed
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-all-legs-fail, raid1
// kills: misjudged, wrong data, wrong answer, hang

@@
@@
 write_callback(...)
 {
 	<...
-		fail_mirror(ms->mirror + i, DM_RAID1_WRITE_ERROR);
+		{
+			fail_mirror(ms->mirror + i, DM_RAID1_WRITE_ERROR);
+			break;
+		}
 	...>
 }
