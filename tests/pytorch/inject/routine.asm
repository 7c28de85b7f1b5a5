; The routine for mailbox 0x7f0011223340 and functions from 0x7f0000000000 on, 0x1000 apart:
; Py_IsInitialized, PyGILState_Ensure, PyGILState_Release, PyRun_SimpleStringFlags,
; pthread_create, pthread_self, pthread_detach, pthread_sigmask, usleep, mmap, munmap.
; Made by objdump -D -b binary -m i386:x86-64 -M intel; the mark of eight bytes before it is left out.
   0  9c                              pushf
   1  50                              push   rax
   2  51                              push   rcx
   3  52                              push   rdx
   4  53                              push   rbx
   5  55                              push   rbp
   6  56                              push   rsi
   7  57                              push   rdi
   8  41 50                           push   r8
   a  41 51                           push   r9
   c  41 52                           push   r10
   e  41 53                           push   r11
  10  41 54                           push   r12
  12  41 55                           push   r13
  14  41 56                           push   r14
  16  41 57                           push   r15
  18  fc                              cld
  19  48 89 e5                        mov    rbp,rsp
  1c  48 81 ec 00 40 00 00            sub    rsp,0x4000
  23  48 83 e4 c0                     and    rsp,0xffffffffffffffc0
  27  48 8d bc 24 00 02 00 00         lea    rdi,[rsp+0x200]
  2f  31 c0                           xor    eax,eax
  31  b9 08 00 00 00                  mov    ecx,0x8
  36  f3 48 ab                        rep stos QWORD PTR es:[rdi],rax
  39  b8 ff ff ff ff                  mov    eax,0xffffffff
  3e  ba ff ff ff ff                  mov    edx,0xffffffff
  43  48 0f ae 24 24                  xsave64 [rsp]
  48  48 89 e3                        mov    rbx,rsp
  4b  48 bf 70 33 22 11 00 7f 00 00   movabs rdi,0x7f0011223370
  55  31 f6                           xor    esi,esi
  57  48 8d 15 57 00 00 00            lea    rdx,[rip+0x57]        # 0xb5
  5e  31 c9                           xor    ecx,ecx
  60  48 b8 00 40 00 00 00 7f 00 00   movabs rax,0x7f0000004000
  6a  ff d0                           call   rax
  6c  85 c0                           test   eax,eax
  6e  0f 84 11 00 00 00               je     0x85
  74  48 b9 48 33 22 11 00 7f 00 00   movabs rcx,0x7f0011223348
  7e  48 c7 01 06 00 00 00            mov    QWORD PTR [rcx],0x6
  85  48 89 dc                        mov    rsp,rbx
  88  b8 ff ff ff ff                  mov    eax,0xffffffff
  8d  ba ff ff ff ff                  mov    edx,0xffffffff
  92  48 0f ae 2c 24                  xrstor64 [rsp]
  97  48 89 ec                        mov    rsp,rbp
  9a  41 5f                           pop    r15
  9c  41 5e                           pop    r14
  9e  41 5d                           pop    r13
  a0  41 5c                           pop    r12
  a2  41 5b                           pop    r11
  a4  41 5a                           pop    r10
  a6  41 59                           pop    r9
  a8  41 58                           pop    r8
  aa  5f                              pop    rdi
  ab  5e                              pop    rsi
  ac  5d                              pop    rbp
  ad  5b                              pop    rbx
  ae  5a                              pop    rdx
  af  59                              pop    rcx
  b0  58                              pop    rax
  b1  9d                              popf
  b2  c2 80 00                        ret    0x80
  b5  f3 0f 1e fa                     endbr64
  b9  55                              push   rbp
  ba  48 89 e5                        mov    rbp,rsp
  bd  53                              push   rbx
  be  41 54                           push   r12
  c0  41 55                           push   r13
  c2  48 81 ec 88 00 00 00            sub    rsp,0x88
  c9  48 bb 40 33 22 11 00 7f 00 00   movabs rbx,0x7f0011223340
  d3  48 c7 43 08 01 00 00 00         mov    QWORD PTR [rbx+0x8],0x1
  db  48 89 e7                        mov    rdi,rsp
  de  b9 10 00 00 00                  mov    ecx,0x10
  e3  48 c7 c0 ff ff ff ff            mov    rax,0xffffffffffffffff
  ea  f3 48 ab                        rep stos QWORD PTR es:[rdi],rax
  ed  31 ff                           xor    edi,edi
  ef  48 89 e6                        mov    rsi,rsp
  f2  31 d2                           xor    edx,edx
  f4  48 b8 00 70 00 00 00 7f 00 00   movabs rax,0x7f0000007000
  fe  ff d0                           call   rax
 100  48 b8 00 50 00 00 00 7f 00 00   movabs rax,0x7f0000005000
 10a  ff d0                           call   rax
 10c  48 89 c7                        mov    rdi,rax
 10f  48 b8 00 60 00 00 00 7f 00 00   movabs rax,0x7f0000006000
 119  ff d0                           call   rax
 11b  31 ff                           xor    edi,edi
 11d  be 00 00 10 00                  mov    esi,0x100000
 122  ba 03 00 00 00                  mov    edx,0x3
 127  b9 22 00 00 00                  mov    ecx,0x22
 12c  41 b8 ff ff ff ff               mov    r8d,0xffffffff
 132  45 31 c9                        xor    r9d,r9d
 135  48 b8 00 90 00 00 00 7f 00 00   movabs rax,0x7f0000009000
 13f  ff d0                           call   rax
 141  41 bc 08 00 00 00               mov    r12d,0x8
 147  48 83 f8 ff                     cmp    rax,0xffffffffffffffff
 14b  0f 84 b6 00 00 00               je     0x207
 151  49 89 c5                        mov    r13,rax
 154  48 89 43 10                     mov    QWORD PTR [rbx+0x10],rax
 158  41 bc 88 13 00 00               mov    r12d,0x1388
 15e  48 83 7b 18 00                  cmp    QWORD PTR [rbx+0x18],0x0
 163  0f 85 25 00 00 00               jne    0x18e
 169  bf e8 03 00 00                  mov    edi,0x3e8
 16e  48 b8 00 80 00 00 00 7f 00 00   movabs rax,0x7f0000008000
 178  ff d0                           call   rax
 17a  41 ff cc                        dec    r12d
 17d  0f 85 db ff ff ff               jne    0x15e
 183  41 bc 07 00 00 00               mov    r12d,0x7
 189  e9 65 00 00 00                  jmp    0x1f3
 18e  41 bc 05 00 00 00               mov    r12d,0x5
 194  48 b8 00 00 00 00 00 7f 00 00   movabs rax,0x7f0000000000
 19e  ff d0                           call   rax
 1a0  85 c0                           test   eax,eax
 1a2  0f 84 4b 00 00 00               je     0x1f3
 1a8  48 c7 43 08 02 00 00 00         mov    QWORD PTR [rbx+0x8],0x2
 1b0  48 b8 00 10 00 00 00 7f 00 00   movabs rax,0x7f0000001000
 1ba  ff d0                           call   rax
 1bc  41 89 c4                        mov    r12d,eax
 1bf  48 c7 43 08 03 00 00 00         mov    QWORD PTR [rbx+0x8],0x3
 1c7  4c 89 ef                        mov    rdi,r13
 1ca  31 f6                           xor    esi,esi
 1cc  48 b8 00 30 00 00 00 7f 00 00   movabs rax,0x7f0000003000
 1d6  ff d0                           call   rax
 1d8  48 98                           cdqe
 1da  48 89 43 20                     mov    QWORD PTR [rbx+0x20],rax
 1de  44 89 e7                        mov    edi,r12d
 1e1  48 b8 00 20 00 00 00 7f 00 00   movabs rax,0x7f0000002000
 1eb  ff d0                           call   rax
 1ed  41 bc 04 00 00 00               mov    r12d,0x4
 1f3  4c 89 ef                        mov    rdi,r13
 1f6  be 00 00 10 00                  mov    esi,0x100000
 1fb  48 b8 00 a0 00 00 00 7f 00 00   movabs rax,0x7f000000a000
 205  ff d0                           call   rax
 207  4c 89 63 08                     mov    QWORD PTR [rbx+0x8],r12
 20b  48 81 c4 88 00 00 00            add    rsp,0x88
 212  41 5d                           pop    r13
 214  41 5c                           pop    r12
 216  5b                              pop    rbx
 217  5d                              pop    rbp
 218  31 c0                           xor    eax,eax
 21a  c3                              ret
