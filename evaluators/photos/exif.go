package photos

import "encoding/binary"

// orientation reads how a JPEG's camera was held, 1 to 8, from its EXIF part; 1
// when there is none or it cannot be read. (JPEG: ITU-T T.81 B.1; EXIF 2.3 §4.5.)
func orientation(src []byte) int {
	for at := 2; at+4 <= len(src) && src[at] == 0xFF; {
		marker, size := src[at+1], int(binary.BigEndian.Uint16(src[at+2:]))
		if marker == 0xFF { // fill
			at++
			continue
		}
		if marker == 0xDA || size < 2 || at+2+size > len(src) {
			return 1
		}
		body := src[at+4 : at+2+size]
		if marker == 0xE1 && len(body) > 6 && string(body[:6]) == "Exif\x00\x00" {
			return tiffOrientation(body[6:])
		}
		at += 2 + size
	}
	return 1
}

func tiffOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(b[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return 1
	}
	n := uint64(order.Uint16(b[at:]))
	for i := range n {
		entry := at + 2 + i*12
		if entry+12 > uint64(len(b)) {
			return 1
		}
		const tag, short = 0x0112, 3
		if order.Uint16(b[entry:]) == tag && order.Uint16(b[entry+2:]) == short && order.Uint32(b[entry+4:]) == 1 {
			if v := int(order.Uint16(b[entry+8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
	}
	return 1
}
