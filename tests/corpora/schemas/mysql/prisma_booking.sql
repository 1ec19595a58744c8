SET foreign_key_checks = 0;
CREATE TABLE `Booking` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `roomId` int NOT NULL,
  `guestId` varchar(191) NOT NULL,
  `status` enum('PENDING','CONFIRMED','CANCELLED') NOT NULL DEFAULT 'PENDING',
  `arrives` date NOT NULL,
  `leaves` date NOT NULL,
  `total` decimal(12,2) NOT NULL,
  `createdAt` datetime(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  `updatedAt` datetime(3) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `roomId` (`roomId`),
  KEY `guestId` (`guestId`),
  CONSTRAINT `Booking_ibfk_1` FOREIGN KEY (`roomId`) REFERENCES `Room` (`id`),
  CONSTRAINT `Booking_ibfk_2` FOREIGN KEY (`guestId`) REFERENCES `Guest` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `Extra` (
  `id` int NOT NULL AUTO_INCREMENT,
  `name` varchar(191) NOT NULL,
  `price` decimal(8,2) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `name` (`name`)
) ENGINE=InnoDB;
CREATE TABLE `Guest` (
  `id` varchar(191) NOT NULL,
  `email` varchar(191) NOT NULL,
  `name` varchar(191) NOT NULL,
  `phone` varchar(191) DEFAULT NULL,
  `born` date DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `email` (`email`)
) ENGINE=InnoDB;
CREATE TABLE `Hotel` (
  `id` int NOT NULL AUTO_INCREMENT,
  `slug` varchar(191) NOT NULL,
  `name` varchar(191) NOT NULL,
  `city` varchar(191) NOT NULL,
  `stars` int NOT NULL,
  `amenities` json DEFAULT NULL,
  `latitude` double DEFAULT NULL,
  `createdAt` datetime(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (`id`),
  UNIQUE KEY `slug` (`slug`)
) ENGINE=InnoDB;
CREATE TABLE `Profile` (
  `id` int NOT NULL AUTO_INCREMENT,
  `guestId` varchar(191) NOT NULL,
  `preferences` json NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `guestId` (`guestId`),
  CONSTRAINT `Profile_ibfk_1` FOREIGN KEY (`guestId`) REFERENCES `Guest` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `Review` (
  `id` int NOT NULL AUTO_INCREMENT,
  `hotelId` int NOT NULL,
  `guestId` varchar(191) NOT NULL,
  `score` int NOT NULL,
  `text` varchar(191) NOT NULL,
  `createdAt` datetime(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (`id`),
  KEY `hotelId` (`hotelId`),
  KEY `guestId` (`guestId`),
  FULLTEXT KEY `text` (`text`),
  CONSTRAINT `Review_ibfk_1` FOREIGN KEY (`hotelId`) REFERENCES `Hotel` (`id`),
  CONSTRAINT `Review_ibfk_2` FOREIGN KEY (`guestId`) REFERENCES `Guest` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `Room` (
  `id` int NOT NULL AUTO_INCREMENT,
  `hotelId` int NOT NULL,
  `number` varchar(191) NOT NULL,
  `beds` int NOT NULL,
  `rate` decimal(10,2) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `hotelId` (`hotelId`,`number`),
  CONSTRAINT `Room_ibfk_1` FOREIGN KEY (`hotelId`) REFERENCES `Hotel` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `_BookingToExtra` (
  `A` bigint NOT NULL,
  `B` int NOT NULL,
  PRIMARY KEY (`A`,`B`)
) ENGINE=InnoDB;
