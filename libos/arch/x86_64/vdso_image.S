/* vdso_image.S - the guest's vDSO as bytes (vdso/vdso.S, built first). */
	.section .rodata.vdso, "a", @progbits
	.balign 16
	.globl vdso_image, vdso_image_end
	.hidden vdso_image, vdso_image_end
vdso_image:
	.incbin "vdso.so"
vdso_image_end:
	.section .note.GNU-stack, "", @progbits
