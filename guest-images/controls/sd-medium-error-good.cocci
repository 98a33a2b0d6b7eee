// class: after a medium error all bytes are counted as good
// module: sd_mod
// file: drivers/scsi/sd.c
// scenarios: target/raid1-read, target
// kills: wrong data, wrong answer

@@
@@
 sd_done(...)
 {
 	<...
-	good_bytes = sd_completed_bytes(SCpnt);
+	good_bytes = scsi_bufflen(SCpnt);
 	...>
 }
