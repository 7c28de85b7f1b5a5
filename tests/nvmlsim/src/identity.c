/* Who a card is: name, UUID, serial, its place on the bus. */
#include "sim.h"

int put(char *out, u32 len, const char *text) {
    NEED(out);
    if (strlen(text) + 1 > len) return E_SIZE;
    strcpy(out, text);
    return OK;
}

void uuid_of(int g, int slot, char *out) {
    u32 who = slot < 0 ? (u32)g : 1000u + (u32)(g * MAX_MIG + slot), a = (u32)(noise(who, 1) * U32_NA);
    u32 b = (u32)(noise(who, 2) * U32_NA), c = (u32)(noise(who, 3) * U32_NA);
    sprintf(out, "%s-%08x-%04x-4%03x-8%03x-%08x%04x", slot < 0 ? "GPU" : "MIG", a, b & 0xffff, (b >> 16) & 0xfff,
            c & 0xfff, a ^ c, b & 0xffff);
}
void serial_of(int g, char *out) { sprintf(out, "16542230%05d", 17001 + g * 37); }

u32 bus_of(int g) {
    static const u32 hgx[8] = { 0x1b, 0x43, 0x52, 0x61, 0x9d, 0xc3, 0xd1, 0xdf };
    return hgx[g & 7];
}
void pci_of(int g, char *out, int wide) { sprintf(out, wide ? "%08X:%02X:00.0" : "%04X:%02X:00.0", (u32)(g / 8), bus_of(g)); }

FN(nvmlDeviceGetName);
EXPORT int nvmlDeviceGetName(dev_t_ d, char *out, u32 len) {
    DEV_ENTER(nvmlDeviceGetName);
    char b[160];
    const struct mig_instance *slice = instance_of(handle_of(d));
    if (faults_now()->name_bytes) return put(out, len, "NVIDIA H\xff\xfe""100\x1b[31m \x80""80GB\r\n\x07");
    snprintf(b, sizeof b, slice ? "%s MIG %s" : "%s", settings.name, slice ? slice->profile : "");
    return put(out, len, b);
}
FN(nvmlDeviceGetUUID);
EXPORT int nvmlDeviceGetUUID(dev_t_ d, char *out, u32 len) {
    DEV_ENTER(nvmlDeviceGetUUID);
    char b[128];
    uuid_of(g, handle_of(d)->slot, b);
    return put(out, len, b);
}
#define DEV_STR(f, stmt) FN(f); EXPORT int f(dev_t_ d, char *out, u32 len) { DEV_ENTER(f); (void)g; char b[128]; stmt; return put(out, len, b); }
DEV_STR(nvmlDeviceGetSerial, serial_of(g, b))
DEV_STR(nvmlDeviceGetVbiosVersion, strcpy(b, "96.00.89.00.01"))
DEV_STR(nvmlDeviceGetBoardPartNumber, strcpy(b, "692-2G520-0200-000"))
DEV_STR(nvmlDeviceGetInforomImageVersion, strcpy(b, "G520.0200.00.05"))
FN(nvmlDeviceGetInforomVersion);
EXPORT int nvmlDeviceGetInforomVersion(dev_t_ d, u32 obj, char *out, u32 len) { DEV_ENTER(nvmlDeviceGetInforomVersion); (void)g; return put(out, len, obj == 1 ? "7.16" : "2.1"); }
#ifndef NVMLSIM_OLD
FN(nvmlDeviceGetGspFirmwareVersion);
EXPORT int nvmlDeviceGetGspFirmwareVersion(dev_t_ d, char *out) { DEV_ENTER(nvmlDeviceGetGspFirmwareVersion); (void)g; return put(out, 64, settings.driver); }
FN(nvmlDeviceGetGspFirmwareMode);
EXPORT int nvmlDeviceGetGspFirmwareMode(dev_t_ d, u32 *on, u32 *usual) { DEV_ENTER(nvmlDeviceGetGspFirmwareMode); (void)g; NEED(on && usual); *on = *usual = 1; return OK; }
#endif

struct pci2 { char bus_id[16]; u32 domain, bus, device, dev_id, sub_id, r0, r1, r2, r3; };
static int do_pci2(struct fn *f, dev_t_ d, struct pci2 *p) {
    int g, r = enter_device(f, d, &g);
    if (r) return r;
    NEED(p);
    memset(p, 0, sizeof *p);
    pci_of(g, p->bus_id, 0);
    p->domain = (u32)g / 8; p->bus = bus_of(g); p->dev_id = board->pcie_id; p->sub_id = 0x16c110de;
    return OK;
}
FN(nvmlDeviceGetPciInfo);    EXPORT int nvmlDeviceGetPciInfo(dev_t_ d, struct pci2 *p)    { return do_pci2(&F_nvmlDeviceGetPciInfo, d, p); }
FN(nvmlDeviceGetPciInfo_v2); EXPORT int nvmlDeviceGetPciInfo_v2(dev_t_ d, struct pci2 *p) { return do_pci2(&F_nvmlDeviceGetPciInfo_v2, d, p); }
FN(nvmlDeviceGetPciInfo_v3);
EXPORT int nvmlDeviceGetPciInfo_v3(dev_t_ d, struct pci3 *p) {
    DEV_ENTER(nvmlDeviceGetPciInfo_v3);
    NEED(p);
    memset(p, 0, sizeof *p);
    pci_of(g, p->legacy, 0);
    pci_of(g, p->bus_id, 1);
    p->domain = (u32)g / 8; p->bus = bus_of(g); p->dev_id = board->pcie_id; p->sub_id = 0x16c110de;
    return OK;
}
